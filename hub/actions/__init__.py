"""What can happen. One public function is one use case is one transaction."""
