// Starts the documentation page. The content policy demands Trusted Types; Swagger UI sanitises its markdown with DOMPurify but hands plain
// strings to the browser, so this page (which shows nothing but our own OpenAPI document) declares them trusted.
"use strict";

if (window.trustedTypes) {
  window.trustedTypes.createPolicy("default", { createHTML: (html) => html });
}

const place = document.getElementById("documentation");
window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  displayOperationId: true,
  validatorUrl: null,
  withCredentials: true,
  // Requests with cookies must carry a header no foreign form can send.
  requestInterceptor: (request) => {
    request.headers["X-Requested-With"] = "documentation";
    return request;
  },
  presets: [window.SwaggerUIBundle.presets.apis],
});
