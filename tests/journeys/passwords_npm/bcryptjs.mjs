// Prints the hash that bcryptjs makes of the password on its standard input.
import { readFileSync } from "node:fs";
import bcrypt from "bcryptjs";

console.log(bcrypt.hashSync(readFileSync(0, "utf8"), 4));
