"""What each learned detector brings to training, one module per detector."""
