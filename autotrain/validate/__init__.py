"""Raw samples in, clean ones out; every rejected line is kept with its reason."""
