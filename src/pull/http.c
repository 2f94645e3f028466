#include "pull/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_REDIRECTS = 10, CONNECT_SECONDS = 15, STALLED_SECONDS = 30, ORIGIN_BYTES = 512 };

struct pl__http {
    CURL *curl;
    const char *token;
    const volatile int *stop;
    char origin[ORIGIN_BYTES];
    char trouble[CURL_ERROR_SIZE];
};

/* A transfer while it runs. */
typedef struct transfer {
    pl__http *h;
    pl__reply *reply;
    pl__sink sink;
    void *self;
    pl_error *e;
    pl_status status; /* the sink's */
} transfer;

bool pl__url_add(char url[PL__URL_BYTES], const char *text, size_t n, const char *keep)
{
    size_t used = strlen(url);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c)) || (c && strchr(keep, c));
        if (used + 4 > PL__URL_BYTES)
            return false;
        used += (size_t)snprintf(url + used, 4, plain ? "%c" : "%%%02X", c);
    }
    return true;
}

/* "scheme://host:port" of a URL, in small letters; only http and https have one here. */
static bool origin_of(const char *url, char out[ORIGIN_BYTES])
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool done = u && !curl_url_set(u, CURLUPART_URL, url, 0) && !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
        !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    done = done && (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);
    done = done && (size_t)snprintf(out, ORIGIN_BYTES, "%s://%s:%s", scheme, host, port) < ORIGIN_BYTES;
    for (char *c = out; done && *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return done;
}

bool pl__http_is_own(const pl__http *h, const char *url)
{
    char origin[ORIGIN_BYTES];
    return origin_of(url, origin) && strcmp(origin, h->origin) == 0;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *self)
{
    transfer *t = self;
    (void)one;
    long code = 0;
    curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &code);
    t->reply->code = code;
    if (code != 200 && code != 206)
        return n; /* a page of words, or a redirect's */
    t->status = t->sink(t->self, t->reply, bytes, n, t->e);
    return t->status == PL_OK ? n : 0;
}

static bool is_header(const char *line, size_t n, const char *name, const char **value, size_t *value_bytes)
{
    size_t k = strlen(name);
    if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
        return false;
    const char *from = line + k + 1, *end = line + n;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (end > from && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    *value = from;
    *value_bytes = (size_t)(end - from);
    return true;
}

static void copy(char *out, size_t capacity, const char *text, size_t n)
{
    n = n < capacity ? n : 0; /* too long: as if it were not there */
    memcpy(out, text, n);
    out[n] = '\0';
}

/* <https://hub/next>; rel="next" */
static void read_link(pl__reply *r, const char *text, size_t n)
{
    char line[PL__URL_BYTES];
    copy(line, sizeof line, text, n);
    char *begin = strchr(line, '<'), *end = begin ? strchr(begin, '>') : NULL;
    if (end && strstr(end, "rel=\"next\""))
        copy(r->next, sizeof r->next, begin + 1, (size_t)(end - begin - 1));
}

static bool read_whole(const char **at, uint64_t *out)
{
    const char *p = *at;
    uint64_t value = 0;
    *out = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (!pl_mul(value, 10, &value) || !pl_add(value, (uint64_t)(*p - '0'), &value))
            return false;
    bool some = p > *at;
    *at = p;
    *out = value;
    return some;
}

/* bytes 100-199/200 */
static void read_range(pl__reply *r, const char *text, size_t n)
{
    char line[128] = {0};
    copy(line, sizeof line, text, n);
    const char *at = line;
    uint64_t last = 0;
    if (strncasecmp(at, "bytes ", 6) != 0)
        return;
    at += 6;
    r->has_range = read_whole(&at, &r->from) && *at++ == '-' && read_whole(&at, &last) && *at++ == '/' && read_whole(&at, &r->total) && !*at;
}

static size_t on_header(char *line, size_t one, size_t n, void *self)
{
    pl__reply *r = ((transfer *)self)->reply;
    (void)one;
    const char *value;
    size_t bytes;
    r->reached = true;
    if (is_header(line, n, "Link", &value, &bytes)) {
        read_link(r, value, bytes);
    } else if (is_header(line, n, "X-Error-Code", &value, &bytes)) {
        copy(r->reason, sizeof r->reason, value, bytes);
    } else if (is_header(line, n, "Content-Range", &value, &bytes)) {
        read_range(r, value, bytes);
    } else if (is_header(line, n, "Retry-After", &value, &bytes)) {
        char text[24];
        copy(text, sizeof text, value, bytes);
        const char *at = text;
        if (!read_whole(&at, &r->wait_seconds))
            r->wait_seconds = 0;
    }
    return n;
}

static int on_progress(void *self, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    (void)down_all, (void)down, (void)up_all, (void)up;
    return *((pl__http *)self)->stop != 0;
}

static void set_options(pl__http *h)
{
    CURL *c = h->curl;
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->trouble);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "plimsoll/" PL_VERSION);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALLED_SECONDS);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
}

pl_status pl__http_open(const char *endpoint, const char *token, const volatile int *stop, pl__http **out, pl_error *e)
{
    *out = NULL;
    pl__http *h = calloc(1, sizeof *h);
    if (!h)
        return pl_fail_no_memory(e, sizeof *h, "the connection");
    h->token = token;
    h->stop = stop;
    bool right = origin_of(endpoint, h->origin);
    if (right)
        h->curl = curl_easy_init();
    if (!h->curl) {
        free(h);
        return right ? pl_fail(e, PL_MACHINE, "libcurl cannot start")
                     : pl_fail(e, PL_USAGE, "HF_ENDPOINT: %s is no address, https://huggingface.co would be one", endpoint);
    }
    set_options(h);
    *out = h;
    return PL_OK;
}

void pl__http_close(pl__http *h)
{
    if (h)
        curl_easy_cleanup(h->curl);
    free(h);
}

/* A server that answers, but not with the resource. */
static pl_status refuse(pl__reply *r, const char *url, pl_error *e)
{
    r->again = r->code == 408 || r->code == 429 || r->code >= 500;
    return pl_fail(e, r->again ? PL_MACHINE : PL_BAD_INPUT, "%s: the server answers %ld", url, r->code);
}

static pl_status end_of(transfer *t, CURLcode code, const char *url)
{
    pl__reply *r = t->reply;
    if (t->status != PL_OK)
        return t->status;
    if (*t->h->stop)
        return pl_fail(t->e, PL_STOPPED, "stopped; what is here already stays, and the same command goes on");
    if (code == CURLE_OK)
        return r->code < 400 ? PL_OK : refuse(r, url, t->e);
    /* a certificate will be no better a second later, nor a name that nobody knows */
    r->again = code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_SSL_CONNECT_ERROR && code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL &&
        ((code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_COULDNT_CONNECT) || r->reached);
    return pl_fail(t->e, PL_MACHINE, "%s: %s", url, t->h->trouble[0] ? t->h->trouble : curl_easy_strerror(code));
}

/* One request, without redirects. */
static pl_status request(transfer *t, const char *url, uint64_t from)
{
    pl__http *h = t->h;
    struct curl_slist *headers = NULL;
    char *line = NULL;
    if (h->token && pl__http_is_own(h, url)) {
        size_t n = strlen(h->token) + sizeof "Authorization: Bearer ";
        line = malloc(n);
        if (line)
            snprintf(line, n, "Authorization: Bearer %s", h->token);
        headers = line ? curl_slist_append(NULL, line) : NULL;
        free(line);
        if (!headers)
            return pl_fail_no_memory(t->e, n, "a request");
    }
    char range[32];
    snprintf(range, sizeof range, "%llu-", (unsigned long long)from);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h->curl, CURLOPT_RANGE, from ? range : NULL);
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, t);
    bool reached = t->reply->reached;
    *t->reply = (pl__reply){.reached = reached};
    h->trouble[0] = '\0';
    CURLcode code = curl_easy_perform(h->curl);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &t->reply->code);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return end_of(t, code, url);
}

static bool is_redirect(long code) { return code == 301 || code == 302 || code == 303 || code == 307 || code == 308; }

/* Where a redirect leads; from https never to http. */
static pl_status follow(transfer *t, char url[PL__URL_BYTES])
{
    char *target = NULL, from[ORIGIN_BYTES], to[ORIGIN_BYTES];
    curl_easy_getinfo(t->h->curl, CURLINFO_REDIRECT_URL, &target);
    if (!target || !origin_of(target, to) || !origin_of(url, from) || strlen(target) >= PL__URL_BYTES)
        return pl_fail(t->e, PL_BAD_INPUT, "%s: the server sends elsewhere, but to no address", url);
    if (strncmp(from, "https:", 6) == 0 && strncmp(to, "https:", 6) != 0)
        return pl_fail(t->e, PL_BAD_INPUT, "%s: the server sends to %s, which is not encrypted", url, to);
    memmove(url, target, strlen(target) + 1);
    return PL_OK;
}

pl_status pl__http_get(pl__http *h, const char *url, uint64_t from, pl__sink sink, void *self, pl__reply *reply, pl_error *e)
{
    char at[PL__URL_BYTES];
    transfer t = {.h = h, .reply = reply, .sink = sink, .self = self, .e = e};
    *reply = (pl__reply){.code = 0};
    if ((size_t)snprintf(at, sizeof at, "%s", url) >= sizeof at)
        return pl_fail(e, PL_BAD_INPUT, "%s: the address is too long", url);
    for (unsigned i = 0; i <= MOST_REDIRECTS; i++) {
        pl_status s = request(&t, at, from);
        if (s || !is_redirect(reply->code)) {
            if (!s && reply->code != 200 && reply->code != 206)
                return pl_fail(e, PL_BAD_INPUT, "%s: the server answers %ld", at, reply->code);
            return s;
        }
        s = follow(&t, at);
        if (s)
            return s;
    }
    return pl_fail(e, PL_BAD_INPUT, "%s: the server sends from place to place, more than %d times", url, MOST_REDIRECTS);
}
