"""`jupyter mlinfn demo`: a small platform in a folder, and the conda channel that it needs offline."""
