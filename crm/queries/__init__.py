"""What is read of customers and leads for screens; nothing here writes."""
