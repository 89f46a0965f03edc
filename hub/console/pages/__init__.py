"""One file per noun: what stands on its pages and what its forms do."""
