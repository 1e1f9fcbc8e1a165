"""What every process needs to start, be seen and stop; knows no process."""
