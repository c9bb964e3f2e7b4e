// Opening the link is enough: send the form that a person without JavaScript would send by its button.
document.getElementById("sign-in")?.requestSubmit();
