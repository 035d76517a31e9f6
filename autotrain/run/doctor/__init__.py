"""What a run with given settings needs of this machine, looked at: all of it by --doctor, a part at every start."""
