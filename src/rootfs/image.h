/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h: which layers a container image has, and what it says of its command:
 * an OCI image layout (OCI image specification 1.0), or an archive of "docker
 * save" in its older form. Of the process that reads archives; all texts are
 * hostile.
 */
#ifndef MOTE_ROOTFS_IMAGE_H
#define MOTE_ROOTFS_IMAGE_H

#include "mote/rootfs.h"

#include "blob.h"

#define IMAGE_LAYERS_MAX 1024u

/* Where the parts are. find() one by its path: -ENOENT, not reported, if it is
 * not there; other errors are. done() ends its use. */
struct store {
    int (*find)(struct store *s, const char *path, struct blob *out);
    void (*done)(struct store *s, struct blob *b);
};

struct image_layer {
    char *path; /* in the store */
    u64 size;   /* that it is said to have; 0: nobody says */
    enum blob_check check;
    char sha256[SHA256_DIGEST_STRING_LENGTH];
};

struct image {
    unsigned int nr_layers;
    struct image_layer *layer; /* the lowest first */
    struct rootfs_command command;
};

/* What jansson takes from /dev/urandom, while there is one. */
void image_prepare(void);

/* By index.json; by manifest.json. 0 or a negative errno, already reported; the
 * image is to be freed in any case. */
int image_from_oci(struct image *im, struct store *s);
int image_from_docker(struct image *im, struct store *s);
void image_free(struct image *im);

#endif
