"""Room `jobs`: long work of any room, with progress, cancel, a log and a journal."""
