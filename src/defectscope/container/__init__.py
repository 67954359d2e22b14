"""Around the worker: what stands at a container's port, its health, and TorchServe behind it."""
