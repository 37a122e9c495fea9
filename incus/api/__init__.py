"""The Incus API, one idea per file. Nothing here knows what a deployment is."""
