"""Where the room looks into Jupyter Server and its extensions: thin, and told to `sources`."""
