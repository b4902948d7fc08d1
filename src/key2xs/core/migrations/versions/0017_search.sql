-- Indexes behind search and the live pages.
SELECT 1;
