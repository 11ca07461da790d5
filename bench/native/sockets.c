/* What stands at both ends of the fan-out's measurement, compiled when it is run; one thread, one epoll.

   load   many WebSocket clients of one server, which count the quotes they are told and how old they are
   serve  the floor: a server that writes one ready frame to every socket, ten times a second, and does nothing else */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_SOCKETS 16384
#define EVENTS_AT_ONCE 512
#define FIRST_BUFFER 4096
#define READ_AT_ONCE 65536
/* Between two looks, so that no server is charged for waking the client up frame by frame: clients of a real
   server are on other machines. A frame is told to be up to as much later. */
#define REST_US 1000
#define HANDSHAKES_AT_ONCE 64
/* Ages in tenths of a millisecond, up to ten seconds. */
#define AGES 100000

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static char *contents_of(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    fseek(file, 0, SEEK_END);
    *length = ftell(file);
    rewind(file);
    char *data = malloc(*length + 1);
    if (fread(data, 1, *length, file) != *length) fail(path);
    data[*length] = 0;
    fclose(file);
    return data;
}

/* The clients -------------------------------------------------------------------------------------------- */

enum state { CONNECTING, UPGRADING, WAITING, READY };

struct client {
    int fd;
    enum state state;
    int is_stalled, is_open;
    uint8_t *buffer;
    size_t held, room;
    int64_t quotes, frames;
};

static struct client clients[MOST_SOCKETS];
static int poller, begun_count, ready_count, closed_count;
static int64_t ages[AGES + 1], aged;
static int is_counting;
static char *request, *wishes[64], *first_word;
static size_t request_length, wish_count;
static uint8_t incoming[READ_AT_ONCE];

static void begin(int port, int place, int client_count, int stalled) {
    struct client *client = &clients[place];
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) fail("socket");
    /* Spread evenly, so that each set of tickers has its share of those that stall. */
    client->is_stalled = (int64_t)(place + 1) * stalled / client_count > (int64_t)place * stalled / client_count;
    client->is_open = 1;
    int small = 4096, on = 1;
    if (client->is_stalled) setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
    client->room = FIRST_BUFFER;
    client->buffer = malloc(client->room);
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = place};
    epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event);
    begun_count++;
}

static void send_all(struct client *client, const void *data, size_t length) {
    if (send(client->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length) fail("send");
}

/* A text frame of a client, masked with nothing. */
static void say(struct client *client, const char *text) {
    uint8_t frame[4096 + 8];
    size_t length = strlen(text), head = length < 126 ? 2 : 4;
    frame[0] = 0x81;
    frame[1] = 0x80 | (length < 126 ? length : 126);
    if (head == 4) frame[2] = length >> 8, frame[3] = length;
    memset(frame + head, 0, 4);
    memcpy(frame + head + 4, text, length);
    send_all(client, frame, head + 4 + length);
}

static void become_ready(struct client *client, int place) {
    client->state = READY;
    ready_count++;
    if (wish_count) say(client, wishes[place % wish_count]);
    if (client->is_stalled) epoll_ctl(poller, EPOLL_CTL_DEL, client->fd, NULL);
}

static void take_text(struct client *client, int place, const char *text, size_t length) {
    if (client->state == WAITING && memmem(text, length < 40 ? length : 40, first_word, strlen(first_word)))
        become_ready(client, place);
    if (!is_counting || length < 20 || !memmem(text, 24, "\"quotes\"", 8)) return;
    const char *end = text + length, *at = memmem(text, length < 200 ? length : 200, "\"ts\":", 5);
    int64_t quotes = 0, age = at ? (now_us() - strtoll(at + 5, NULL, 10) * 1000) / 100 : 0;
    for (const char *seek = text; (seek = memmem(seek, end - seek, "\"ticker\":", 9)); seek += 9) quotes++;
    client->quotes += quotes;
    client->frames++;
    ages[age < 0 ? 0 : age > AGES ? AGES : age] += quotes;
    aged += quotes;
}

static size_t take_frame(struct client *client, int place, const uint8_t *data, size_t held) {
    if (held < 2) return 0;
    size_t head = 2, length = data[1] & 0x7f;
    if (length == 126) {
        if (held < 4) return 0;
        length = (size_t)data[2] << 8 | data[3], head = 4;
    } else if (length == 127) {
        if (held < 10) return 0;
        length = 0;
        for (int place_ = 2; place_ < 10; place_++) length = length << 8 | data[place_];
        head = 10;
    }
    if (held < head + length) return 0;
    if ((data[0] & 0x0f) == 1) take_text(client, place, (const char *)data + head, length);
    if ((data[0] & 0x0f) == 9) {
        uint8_t pong[2 + 4 + 125] = {0x8a, 0x80 | length};
        memcpy(pong + 6, data + head, length);
        send_all(client, pong, 6 + length);
    }
    return head + length;
}

static size_t take_upgrade(struct client *client, int place, const uint8_t *data, size_t held) {
    const uint8_t *end = memmem(data, held, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(data, "HTTP/1.1 101", 12)) {
        fprintf(stderr, "refused: %.*s\n", (int)(held < 400 ? held : 400), data);
        exit(1);
    }
    client->state = WAITING;
    if (!*first_word) become_ready(client, place);
    return end + 4 - data;
}

static void keep(struct client *client, const uint8_t *data, size_t length) {
    if (client->room < length) client->buffer = realloc(client->buffer, client->room = length * 2);
    memmove(client->buffer, data, length);
    client->held = length;
}

static void digest(struct client *client, int place, const uint8_t *data, size_t length) {
    size_t used = 0, more;
    do {
        more = client->state == UPGRADING ? take_upgrade(client, place, data + used, length - used)
                                          : take_frame(client, place, data + used, length - used);
        used += more;
    } while (more && used < length && !(client->is_stalled && client->state == READY));
    keep(client, data + used, length - used);
}

static void hear(struct client *client, int place) {
    ssize_t length = recv(client->fd, incoming, sizeof incoming, 0);
    if (length <= 0) {
        if (length < 0 && errno == EAGAIN) return;
        epoll_ctl(poller, EPOLL_CTL_DEL, client->fd, NULL);
        client->is_open = 0;
        closed_count++;
        return;
    }
    if (!client->held) {
        digest(client, place, incoming, length);
        return;
    }
    if (client->room < client->held + length)
        client->buffer = realloc(client->buffer, client->room = (client->held + length) * 2);
    memcpy(client->buffer + client->held, incoming, length);
    digest(client, place, client->buffer, client->held + length);
}

static void knock(struct client *client, int place) {
    send_all(client, request, request_length);
    client->state = UPGRADING;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = place};
    epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
}

static void poll_once(int milliseconds) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(poller, events, EVENTS_AT_ONCE, milliseconds);
    for (int number = 0; number < count; number++) {
        int place = events[number].data.u32;
        if (clients[place].state == CONNECTING) knock(&clients[place], place);
        else hear(&clients[place], place);
    }
}

static void run_for(double seconds) {
    int64_t until = now_us() + (int64_t)(seconds * 1e6);
    while (now_us() < until) poll_once(5), usleep(REST_US);
}

static double age_at(double share) {
    int64_t seen = 0, wanted = (int64_t)(aged * share);
    for (int age = 0; age <= AGES; age++)
        if ((seen += ages[age]) > wanted) return age / 10.0;
    return -1;
}

/* Says when counting begins and ends, a line each, so that the server's use of the processor is read at these moments. */
static void load(int port, int client_count, int stalled, double warm_up, double seconds) {
    poller = epoll_create1(0);
    int64_t began = now_us();
    while (ready_count < client_count && now_us() - began < 120000000) {
        while (begun_count < client_count && begun_count - ready_count < HANDSHAKES_AT_ONCE)
            begin(port, begun_count, client_count, stalled);
        poll_once(5);
    }
    double connect_seconds = (now_us() - began) / 1e6;
    if (ready_count < client_count) fprintf(stderr, "only %d of %d are ready\n", ready_count, client_count), exit(1);
    run_for(warm_up);
    printf("begin\n"), fflush(stdout);
    double used = cpu_seconds();
    int64_t from = now_us();
    is_counting = 1;
    run_for(seconds);
    is_counting = 0;
    double counted = (now_us() - from) / 1e6;
    printf("end\n"), fflush(stdout);
    used = cpu_seconds() - used;
    int64_t total = 0, least = INT64_MAX, most = 0;
    for (int place = 0; place < client_count; place++) {
        struct client *client = &clients[place];
        if (client->is_stalled) continue;
        total += client->quotes;
        if (client->quotes < least) least = client->quotes;
        if (client->quotes > most) most = client->quotes;
    }
    printf("{\"quotes\": %ld, \"least\": %ld, \"most\": %ld, \"seconds\": %.3f, \"p50\": %.1f, \"p99\": %.1f, "
           "\"connect_seconds\": %.3f, \"closed\": %d, \"client_share\": %.3f}\n",
           (long)total, (long)least, (long)most, counted, age_at(0.5), age_at(0.99), connect_seconds, closed_count,
           used / counted);
    fflush(stdout);
    getchar(); /* stays connected until it is told to go, so that what the server keeps can be read */
}

/* The bare server ------------------------------------------------------------------------------------------ */

static const char UPGRADE[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"; /* of the key that the load client sends */

static void accept_one(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (fd < 0 || fd >= MOST_SOCKETS) fail("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients[fd].fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void hear_bare(int fd) {
    ssize_t length = recv(fd, incoming, sizeof incoming, 0);
    if (length <= 0) {
        clients[fd].state = CONNECTING;
        close(fd);
    } else if (clients[fd].state != READY) {
        send_all(&clients[fd], UPGRADE, sizeof UPGRADE - 1);
        clients[fd].state = READY;
    }
}

static size_t make_frame(uint8_t *frame, const char *quotes, int64_t number, int64_t ts) {
    char text[16384];
    size_t length = snprintf(text, sizeof text, "{\"type\":\"quotes\",\"seq\":%ld,\"ts\":%ld,\"quotes\":[%s]}",
                             (long)number, (long)ts, quotes);
    frame[0] = 0x81, frame[1] = 126, frame[2] = length >> 8, frame[3] = length;
    memcpy(frame + 4, text, length);
    return length + 4;
}

static void serve(int port, const char *quotes, double period) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) fail("listen");
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = listener}, events[EVENTS_AT_ONCE];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    static uint8_t frame[20000];
    int64_t due = now_us(), number = 0;
    while (1) {
        int64_t wait = (due - now_us()) / 1000;
        int count = epoll_wait(poller, events, EVENTS_AT_ONCE, wait > 0 ? wait : 0);
        for (int place = 0; place < count; place++) {
            if ((int)events[place].data.u32 == listener) accept_one(listener);
            else hear_bare(events[place].data.u32);
        }
        if (now_us() < due) continue;
        size_t length = make_frame(frame, quotes, ++number, due / 1000);
        for (int fd = 0; fd < MOST_SOCKETS; fd++)
            if (clients[fd].state == READY) send(fd, frame, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        due += (int64_t)(period * 1e6);
    }
}

int main(int count, char **words) {
    struct rlimit files = {MOST_SOCKETS + 64, MOST_SOCKETS + 64};
    setrlimit(RLIMIT_NOFILE, &files);
    size_t length;
    if (count == 5 && !strcmp(words[1], "serve")) {
        serve(atoi(words[2]), contents_of(words[3], &length), atof(words[4]));
    } else if (count == 10 && !strcmp(words[1], "load")) {
        /* load PORT CLIENTS STALLED WARM_UP SECONDS REQUEST_FILE WISHES_FILE FIRST_WORD */
        request = contents_of(words[7], &request_length);
        first_word = words[9];
        for (char *line = strtok(contents_of(words[8], &length), "\n"); line && wish_count < 64; line = strtok(NULL, "\n"))
            wishes[wish_count++] = line;
        load(atoi(words[2]), atoi(words[3]), atoi(words[4]), atof(words[5]), atof(words[6]));
    } else {
        fprintf(stderr, "usage: load PORT CLIENTS STALLED WARM_UP SECONDS REQUEST WISHES FIRST_WORD | serve PORT QUOTES PERIOD\n");
        return 2;
    }
    return 0;
}
