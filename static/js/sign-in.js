/* The link was opened by a person with a script: no need to press the button. */
"use strict";

document.getElementById("sign-in").requestSubmit();
