"""What every TorchServe handler shares; the only place that knows TorchServe."""
