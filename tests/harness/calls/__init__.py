"""Sample calls of every public function, a module for each namespace."""
