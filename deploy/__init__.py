"""How the two services are deployed: images, and the local pair of `make run`."""
