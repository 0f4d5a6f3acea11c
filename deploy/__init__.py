"""What operators need beside the platform itself: Grafana and Prometheus, as files to mount."""
