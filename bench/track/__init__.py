"""Trackers: services outside the harness, such as TensorBoard, that are told how cells train and what they come to."""
