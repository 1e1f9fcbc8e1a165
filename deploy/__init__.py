"""Where Comptoir runs: on one machine, in containers, on Kubernetes."""
