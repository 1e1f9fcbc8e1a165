"""Grafana's dashboards, written from the registry of metrics: no panel asks for a name that is not there."""
