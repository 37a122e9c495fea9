"""The image of a deployment: its recipe, how it is built, and the images there are."""
