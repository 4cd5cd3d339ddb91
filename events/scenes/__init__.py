"""What the recorded invocations are about."""
