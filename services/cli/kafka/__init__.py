"""`comptoir kafka`: what of a declaration a cluster lacks, and what is done about it."""
