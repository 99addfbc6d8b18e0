"""ftrans: composable transformations of numerical Python functions."""
