/* GET from one hub: redirects are followed by hand, so that the token goes to the hub's own origin
 * and nowhere else. */
#ifndef PL_PULL_HTTP_H
#define PL_PULL_HTTP_H

#include "base/base.h"

enum { PL__URL_BYTES = 4096 };

typedef struct pl__http pl__http;

typedef struct pl__reply {
    long code;
    char next[PL__URL_BYTES]; /* Link: <...>; rel="next", or "" */
    char reason[64];          /* X-Error-Code: RepoNotFound, GatedRepo ... */
    uint64_t from, total;     /* Content-Range of a 206 */
    bool has_range;
    uint64_t wait_seconds; /* Retry-After */
    bool again;            /* after a failure: another try may succeed */
    bool reached;          /* a server answered */
} pl__reply;

/* What gets the body of a 200 or 206, piece by piece; a failure ends the transfer with its status. */
typedef pl_status (*pl__sink)(void *self, const pl__reply *reply, const void *bytes, size_t n, pl_error *e);

/* endpoint: "https://huggingface.co", no slash behind. token may be NULL. `stop` is looked at all
 * the time: not 0 ends a transfer with PL_STOPPED. All three must outlive the handle. */
pl_status pl__http_open(const char *endpoint, const char *token, const volatile int *stop, pl__http **out, pl_error *e);
void pl__http_close(pl__http *h); /* NULL is allowed */

/* One try. from > 0 asks for the rest of the resource; the reply may be whole all the same (200).
 * PL_BAD_INPUT: the server refused (reply->code tells) or answered what it must not; PL_MACHINE: no
 * network, a cut transfer. */
pl_status pl__http_get(pl__http *h, const char *url, uint64_t from, pl__sink sink, void *self, pl__reply *reply, pl_error *e);
/* Whether a URL is of the hub's own origin (scheme, host, port). */
bool pl__http_is_own(const pl__http *h, const char *url);
/* Appends text[0..n) to url, percent-encoded but for letters, digits, "-._~" and those of `keep`.
 * False: no room in PL__URL_BYTES. */
bool pl__url_add(char url[PL__URL_BYTES], const char *text, size_t n, const char *keep);

#endif
