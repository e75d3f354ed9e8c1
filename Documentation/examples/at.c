/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Sends an AT command to the modem behind a link, and prints the answer up to its result. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "caif_socket.h"

/* Opens an AT channel of the modem behind a link. Returns the socket, or -1 and errno. */
static int open_at(const char *link)
{
	struct sockaddr_caif address = { .family = AF_CAIF, .u.at.type = CAIF_ATTYPE_PLAIN };
	struct timeval limit = { .tv_sec = 5 };
	int at = socket(AF_CAIF, SOCK_STREAM | SOCK_CLOEXEC, CAIFPROTO_AT);

	if (at < 0)
		return -1;
	/* The send timeout is that of connect(), too. */
	if (!setsockopt(at, SOL_SOCKET, SO_BINDTODEVICE, link, strlen(link)) &&
	    !setsockopt(at, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
	    !setsockopt(at, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) &&
	    !connect(at, (struct sockaddr *)&address, sizeof(address)))
		return at;

	int error = errno;

	close(at);
	errno = error;
	return -1;
}

int main(int argc, char *argv[])
{
	char line[256], answer[4096] = "";
	size_t length = 0;

	if (argc != 3 || strlen(argv[2]) + 2 > sizeof(line)) {
		fprintf(stderr, "usage: %s LINK COMMAND, for example: %s cfvrt0 AT+CSQ\n", argv[0], argv[0]);
		return 2;
	}
	int at = open_at(argv[1]);

	if (at < 0) {
		perror(argv[1]);
		return 1;
	}
	int size = snprintf(line, sizeof(line), "%s\r", argv[2]);

	/* No SIGPIPE if the channel has ended. */
	if (send(at, line, size, MSG_NOSIGNAL) != size) {
		perror("send");
		return 1;
	}
	/* An answer may come in any number of pieces. */
	while (!strstr(answer, "\r\nOK\r\n") && !strstr(answer, "ERROR")) {
		ssize_t more = recv(at, answer + length, sizeof(answer) - 1 - length, 0);

		if (more <= 0) {
			fprintf(stderr, "no result: %s\n", more ? strerror(errno) : "too long an answer");
			return 1;
		}
		length += more;
		answer[length] = 0;
	}
	fputs(answer, stdout);
	close(at);
	return !strstr(answer, "\r\nOK\r\n");
}
