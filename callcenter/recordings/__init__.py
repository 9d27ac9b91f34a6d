"""From a file that grew on disk to a recording at rest, played and downloaded by permission."""
