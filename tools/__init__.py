"""What makes a checkout ready to work in; no part of the product."""
