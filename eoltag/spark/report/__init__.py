"""What people look at: what the page shows, asked of the tables, and the views over them."""
