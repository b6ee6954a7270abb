"""Through a running Airflow; a package, so that its Airflow stops with its last test."""
