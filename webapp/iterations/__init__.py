"""Training runs: when one starts, what it compares, and the gate that lets its candidate into service or not."""
