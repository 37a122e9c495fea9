"""The fleet: deployments in Incus containers. Empty until the containers are built."""
