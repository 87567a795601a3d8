/* SPDX-License-Identifier: Apache-2.0 */
/* image.c: the JSON texts of a container image */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "mote/log.h"

#include "command.h"
#include "image.h"

#define IMAGE_NEST_MAX  4   /* an index in an index */
#define IMAGE_LIST_ROOM 400 /* characters of a list in an error */
#define IMAGE_PATH_MAX  (sizeof("blobs/sha256/") + SHA256_DIGEST_STRING_LENGTH)

void image_prepare(void)
{
    json_object_seed(0);
}

/* ---- texts -------------------------------------------------------------- */

static const char *image_string(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static int image_parse(const char *text, size_t len, const char *what,
                       json_t **out)
{
    json_error_t error;

    *out = json_loadb(text, len, 0, &error);
    if (*out)
        return 0;
    return fail_rule(-EINVAL, "%s:%d:%d: %s", what, error.line, error.column,
                     error.text);
}

/* The text of a blob; sha256: NULL, or what it must have. */
static int image_load(struct store *s, const char *path, const char *what,
                      const char *sha256, json_t **out)
{
    struct blob b = {.check = BLOB_ANY};
    char *text;
    size_t len;
    int r = s->find(s, path, &b);

    if (r == -ENOENT)
        return fail_rule(r, "%s: it is not there: the image is incomplete",
                         path);
    if (r < 0)
        return r;
    if (sha256) {
        b.check = BLOB_SHA256;
        memcpy(b.sha256, sha256, sizeof(b.sha256));
    }
    r = blob_text(&b, what, &text, &len);
    s->done(s, &b);
    if (r < 0)
        return r;
    r = image_parse(text, len, what, out);
    free(text);
    return r;
}

/* ---- descriptors: OCI image specification 1.0, descriptor.md ------------ */

struct image_ref {
    char path[IMAGE_PATH_MAX];
    char sha256[SHA256_DIGEST_STRING_LENGTH];
};

static int image_parse_ref(const json_t *descriptor, const char *what,
                           struct image_ref *out)
{
    const char *digest = image_string(descriptor, "digest");

    if (!digest)
        return fail_rule(-EINVAL, "%s: it has no digest", what);
    if (!blob_parse_digest(digest, out->sha256))
        return fail_rule(-EINVAL,
                         "%s: digest \"%s\": only sha256 with 64 lower-case "
                         "digits is known",
                         what, digest);
    snprintf(out->path, sizeof(out->path), "blobs/sha256/%s", out->sha256);
    return 0;
}

static int image_load_ref(struct store *s, const json_t *descriptor,
                          const char *what, json_t **out)
{
    struct image_ref ref;
    int r = image_parse_ref(descriptor, what, &ref);

    return r < 0 ? r : image_load(s, ref.path, what, ref.sha256, out);
}

/* ---- an image of several ------------------------------------------------ */

struct image_list {
    char text[IMAGE_LIST_ROOM];
    size_t len;
};

/* Cut where there is no more room, "..." behind it. */
static void image_list_add(struct image_list *l, const char *a, const char *b)
{
    int n;

    if (l->len >= sizeof(l->text))
        return;
    n = snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s%s%s%s",
                 l->len ? ", " : "", a, *b ? "/" : "", b);
    l->len += (size_t)MAX(n, 0);
    if (l->len >= sizeof(l->text))
        memcpy(l->text + sizeof(l->text) - 4, "...", 4);
}

static const char *image_or(const char *s, const char *other)
{
    return s ? s : other;
}

/* What BuildKit says of how an image was made, beside the image. */
static bool image_is_attestation(const json_t *descriptor)
{
    const json_t *notes = json_object_get(descriptor, "annotations");
    const json_t *platform = json_object_get(descriptor, "platform");

    return image_string(notes, "vnd.docker.reference.type") ||
           strcmp(image_or(image_string(platform, "os"), ""), "unknown") == 0;
}

static bool image_is_ours(const json_t *platform)
{
    return strcmp(image_or(image_string(platform, "os"), ""), "linux") == 0 &&
           strcmp(image_or(image_string(platform, "architecture"), ""),
                  "amd64") == 0;
}

static const char *image_name(const json_t *descriptor)
{
    const json_t *notes = json_object_get(descriptor, "annotations");
    const char *name = image_string(notes, "io.containerd.image.name");

    if (!name)
        name = image_string(notes, "org.opencontainers.image.ref.name");
    return image_or(name, image_or(image_string(descriptor, "digest"), "?"));
}

struct image_choice {
    const json_t *only;
    bool several;
    struct image_list names, platforms;
};

static void image_consider(struct image_choice *c, const json_t *descriptor)
{
    const json_t *platform = json_object_get(descriptor, "platform");

    if (!json_is_object(descriptor) || image_is_attestation(descriptor))
        return;
    if (json_is_object(platform) && !image_is_ours(platform)) {
        image_list_add(&c->platforms,
                       image_or(image_string(platform, "os"), "?"),
                       image_or(image_string(platform, "architecture"), "?"));
        return;
    }
    image_list_add(&c->names, image_name(descriptor), "");
    /* One image of two names is one. */
    if (c->only && !json_equal(json_object_get(c->only, "digest"),
                               json_object_get(descriptor, "digest")))
        c->several = true;
    else if (!c->only)
        c->only = descriptor;
}

/* The one for this machine. */
static int image_choose(const json_t *manifests, const json_t **out)
{
    struct image_choice c = {.only = NULL};

    for (size_t i = 0; i < json_array_size(manifests); i++)
        image_consider(&c, json_array_get(manifests, i));
    if (c.several)
        return fail_rule(-EINVAL,
                         "it holds several images, and mote takes one: %s; "
                         "save one alone",
                         c.names.text);
    if (!c.only)
        return fail_rule(-ENOEXEC,
                         "it holds no image for linux/amd64, but for: %s",
                         c.platforms.len ? c.platforms.text : "nothing");
    *out = c.only;
    return 0;
}

/* ---- configuration: OCI image specification 1.0, config.md -------------- */

/* A list, NULL or missing, or (of old) one text. */
static int image_take_list(struct rootfs_command *c, const json_t *config,
                           const char *key, enum wire_text what)
{
    const json_t *list = json_object_get(config, key);
    const char *one = json_string_value(list);
    int r = one ? command_add(c, what, one, strlen(one)) : 0;

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        r = text ? command_add(c, what, text, strlen(text)) : -EINVAL;
    }
    return r < 0 ? fail_rule(r, "configuration: \"%s\" is %s", key,
                             r == -EINVAL ? "no list of texts" : "too long")
                 : 0;
}

static int image_take_text(struct rootfs_command *c, const json_t *config,
                           const char *key, enum wire_text what)
{
    const char *text = image_string(config, key);
    int r = text && *text ? command_add(c, what, text, strlen(text)) : 0;

    return r < 0 ? fail_rule(r, "configuration: \"%s\" is too long", key) : 0;
}

static int image_take_command(struct rootfs_command *c, const json_t *config)
{
    int r = image_take_list(c, config, "Entrypoint", WIRE_ENTRYPOINT);

    if (r == 0)
        r = image_take_list(c, config, "Cmd", WIRE_CMD);
    if (r == 0)
        r = image_take_list(c, config, "Env", WIRE_ENV);
    if (r == 0)
        r = image_take_text(c, config, "WorkingDir", WIRE_WORKDIR);
    if (r == 0)
        r = image_take_text(c, config, "User", WIRE_USER);
    return r;
}

static int image_take_config(struct image *im, const json_t *doc)
{
    const char *os = image_or(image_string(doc, "os"), "linux");
    const char *arch = image_or(image_string(doc, "architecture"), "amd64");

    if (strcmp(os, "linux") != 0 || strcmp(arch, "amd64") != 0)
        return fail_rule(-ENOEXEC,
                         "the image is for %s/%s, and mote runs linux/amd64",
                         os, arch);
    return image_take_command(&im->command, json_object_get(doc, "config"));
}

/* ---- layers ------------------------------------------------------------- */

static int image_make_layers(struct image *im, size_t n)
{
    if (n == 0 || n > IMAGE_LAYERS_MAX)
        return fail_rule(-EINVAL, "manifest: %zu layers; it must be 1 to %u", n,
                         IMAGE_LAYERS_MAX);
    im->layer = calloc(n, sizeof(*im->layer));
    if (!im->layer)
        return fail(-ENOMEM, "manifest");
    im->nr_layers = (unsigned int)n;
    return 0;
}

static int image_set_layer(struct image_layer *l, const char *path,
                           enum blob_check check, const char *sha256)
{
    l->path = strdup(path);
    l->check = check;
    if (sha256)
        memcpy(l->sha256, sha256, sizeof(l->sha256));
    return l->path ? 0 : fail(-ENOMEM, "layer %s", path);
}

/* A tar archive, however compressed; libarchive finds out. */
static bool image_is_layer(const char *type)
{
    return (strncmp(type, "application/vnd.oci.image.layer.", 32) == 0 ||
            strncmp(type, "application/vnd.docker.image.rootfs.", 36) == 0) &&
           strstr(type, "tar") && !strstr(type, "encrypted");
}

static int image_take_layer(struct image_layer *l, const json_t *descriptor)
{
    const char *type = image_string(descriptor, "mediaType");
    struct image_ref ref;
    int r = image_parse_ref(descriptor, "layer", &ref);

    if (r < 0)
        return r;
    if (!type || !image_is_layer(type))
        return fail_rule(-ENOTSUP,
                         "layer %s: of type \"%s\", not a layer of "
                         "files that mote can read",
                         ref.path, image_or(type, ""));
    l->size = (u64)json_integer_value(json_object_get(descriptor, "size"));
    return image_set_layer(l, ref.path, BLOB_SHA256, ref.sha256);
}

/* ---- OCI image layouts -------------------------------------------------- */

static bool image_is_config(const char *type)
{
    return strcmp(type, "application/vnd.oci.image.config.v1+json") == 0 ||
           strcmp(type, "application/vnd.docker.container.image.v1+json") == 0;
}

static int image_take_manifest(struct image *im, struct store *s,
                               const json_t *doc)
{
    const json_t *config = json_object_get(doc, "config");
    const json_t *layers = json_object_get(doc, "layers");
    const char *type = image_or(image_string(config, "mediaType"), "");
    json_t *text = NULL;
    int r;

    if (!image_is_config(type))
        return fail_rule(-EINVAL,
                         "manifest: not of a container image: its "
                         "configuration is of type \"%s\"",
                         type);
    r = image_load_ref(s, config, "configuration", &text);
    if (r < 0)
        return r;
    r = image_take_config(im, text);
    json_decref(text);
    if (r == 0)
        r = image_make_layers(im, json_array_size(layers));
    for (unsigned int i = 0; r == 0 && i < im->nr_layers; i++)
        r = image_take_layer(&im->layer[i], json_array_get(layers, i));
    return r;
}

/* Replace an index by what it names for this machine. */
static int image_descend(struct store *s, json_t **doc)
{
    const json_t *descriptor = NULL;
    json_t *next = NULL;
    int r = image_choose(json_object_get(*doc, "manifests"), &descriptor);

    if (r == 0)
        r = image_load_ref(s, descriptor, "manifest", &next);
    if (r < 0)
        return r;
    json_decref(*doc);
    *doc = next;
    return 0;
}

int image_from_oci(struct image *im, struct store *s)
{
    json_t *doc = NULL;
    int r;

    *im = (struct image){.nr_layers = 0};
    r = image_load(s, "index.json", "index.json", NULL, &doc);
    if (r < 0)
        return r;
    for (int i = 0; r == 0 && json_object_get(doc, "manifests"); i++)
        r = i < IMAGE_NEST_MAX
                ? image_descend(s, &doc)
                : fail_rule(-ELOOP, "index.json: indexes lie too deep");
    if (r == 0)
        r = image_take_manifest(im, s, doc);
    json_decref(doc);
    return r;
}

/* ---- docker save, before it wrote image layouts ------------------------- */

/* Newer ones are called by their digest. */
static const char *image_digest_of(const char *path, char *sha256)
{
    const size_t len = SHA256_DIGEST_STRING_LENGTH - 1;

    if (strspn(path, "0123456789abcdef") != len ||
        strcmp(path + len, ".json") != 0)
        return NULL;
    memcpy(sha256, path, len);
    sha256[len] = '\0';
    return sha256;
}

static int image_take_docker_layer(struct image_layer *l, const json_t *path,
                                   const json_t *diff)
{
    const char *name = json_string_value(path);
    const char *digest = json_string_value(diff);
    char sha256[SHA256_DIGEST_STRING_LENGTH];

    if (!name)
        return fail_rule(-EINVAL, "manifest.json: a layer without a name");
    if (!digest)
        return image_set_layer(l, name, BLOB_ANY, NULL);
    if (!blob_parse_digest(digest, sha256))
        return fail_rule(-EINVAL, "configuration: diff_id \"%s\" is none",
                         digest);
    return image_set_layer(l, name, BLOB_DIFF, sha256);
}

static int image_take_docker(struct image *im, struct store *s,
                             const json_t *image)
{
    const json_t *layers = json_object_get(image, "Layers"), *diffs;
    const char *path = image_string(image, "Config");
    char sha256[SHA256_DIGEST_STRING_LENGTH];
    json_t *config = NULL;
    int r;

    if (!path)
        return fail_rule(-EINVAL, "manifest.json: the image has no Config");
    r = image_load(s, path, "configuration", image_digest_of(path, sha256),
                   &config);
    if (r < 0)
        return r;
    diffs = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
    r = image_take_config(im, config);
    if (r == 0)
        r = image_make_layers(im, json_array_size(layers));
    for (unsigned int i = 0; r == 0 && i < im->nr_layers; i++)
        r = image_take_docker_layer(&im->layer[i], json_array_get(layers, i),
                                    json_array_get(diffs, i));
    json_decref(config);
    return r;
}

static int image_several(const json_t *list)
{
    struct image_list names = {.len = 0};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *tags =
            json_object_get(json_array_get(list, i), "RepoTags");

        image_list_add(
            &names, image_or(json_string_value(json_array_get(tags, 0)), "?"),
            "");
    }
    return fail_rule(-EINVAL,
                     "it holds several images, and mote takes one: %s; save "
                     "one alone",
                     names.text);
}

int image_from_docker(struct image *im, struct store *s)
{
    json_t *list = NULL;
    int r;

    *im = (struct image){.nr_layers = 0};
    r = image_load(s, "manifest.json", "manifest.json", NULL, &list);
    if (r < 0)
        return r;
    if (json_array_size(list) > 1)
        r = image_several(list);
    else if (json_array_size(list) == 0)
        r = fail_rule(-EINVAL, "manifest.json: it lists no image");
    else
        r = image_take_docker(im, s, json_array_get(list, 0));
    json_decref(list);
    return r;
}

void image_free(struct image *im)
{
    for (unsigned int i = 0; i < im->nr_layers; i++)
        free(im->layer[i].path);
    free(im->layer);
    command_free(&im->command);
    *im = (struct image){.nr_layers = 0};
}
