"""Work that takes longer than a request, run by the rq worker."""
