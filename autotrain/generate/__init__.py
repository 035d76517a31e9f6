"""Raw samples: asked of a teacher behind a server, or composed by the builtin one."""
