"""What one `run` must do: prune, order, cut into device segments and host steps, and lower the segments to XLA."""
