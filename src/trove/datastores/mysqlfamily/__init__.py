"""The shared ground of MariaDB, MySQL and Percona Server; itself no datastore.

Law: what only one of them has, such as `mysql.global_priv` or IDENTIFIED VIA, stays in its folder.
"""
