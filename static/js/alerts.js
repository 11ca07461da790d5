/* The alerts page: says that one has fired; the table stands still under the reader. */

import "./live.js";
import { sayNews } from "./news.js";

document.addEventListener("live:alert", sayNews);
