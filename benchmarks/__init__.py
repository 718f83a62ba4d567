"""The demo, and measurements that anyone can repeat: ratios of arms measured side by side in one run."""
