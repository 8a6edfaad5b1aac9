namespace reloadlab::sim {}
