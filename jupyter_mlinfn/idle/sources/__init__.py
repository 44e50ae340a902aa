"""What counts as activity, one module for each source; none of them touches tornado or zmq."""
