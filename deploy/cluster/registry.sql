-- Patroni runs this once, on the first primary: the role and the database of the registry.
\getenv password HOPTAC_PASSWORD
CREATE ROLE hoptac LOGIN PASSWORD :'password';
CREATE DATABASE hoptac OWNER hoptac;
