-- Kill 0, stop 1, revoke 2, expire 3, grant 4. Before there were two: urgent 0, which stays first, and the rest 1.
UPDATE key_work SET lane = 4 WHERE lane = 1;
ALTER TABLE key_work ALTER COLUMN lane DROP DEFAULT, ADD CHECK (lane BETWEEN 0 AND 4);
