"""Where blocks of work are done: in this process, in processes of this machine, on the nodes of a Ray cluster."""
