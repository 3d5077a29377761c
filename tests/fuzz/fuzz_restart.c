/* SPDX-License-Identifier: BSD-3-Clause */
/* A warm restart from files in which bytes have changed: every four bytes of
 * the input are a place and what to flip there. The checksums of pages are
 * made anew after that, as they would end it at once. What comes back at all
 * can be read, written, removed and tended. */
#include "src/base/cursor.h"
#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/engine/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 10u
#define PAGE_BYTES (64 * KIB)
#define IMAGE_BYTES (PAGES * PAGE_BYTES)
#define SAVED_MAX (16 * KIB)
#define PAGE_ENTRY_BYTES 13u
#define KEYS 120u
#define EDITS_MAX 64u
#define NOW_NS (1700000000 * NS_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a sound engine left. */
static struct {
    bool there;
    int file;
    unsigned char *mapped;
    unsigned char image[IMAGE_BYTES];
    unsigned char saved[SAVED_MAX];
    size_t saved_size;
} left;

static struct engine *new_engine(void)
{
    const struct engine_config config = {.memory_bytes = IMAGE_BYTES,
                                         .item_bytes_max = IMAGE_BYTES / 2,
                                         .page_bytes = PAGE_BYTES,
                                         .table_power = 6,
                                         .growth = 2.0,
                                         .in_file = true,
                                         .file = left.file};
    struct engine *engine;
    int error = engine_new(&config, &engine);

    INVARIANT(error == 0);
    return engine;
}

static struct engine_key key_number(struct engine *engine, unsigned number)
{
    static char text[16];

    (void)snprintf(text, sizeof(text), "key-%u", number);
    return engine_key_of(engine, slice_of(text));
}

static void store(struct engine_thread *thread, unsigned number, size_t size)
{
    static char value[IMAGE_BYTES];
    struct engine_write write = {.key = key_number(thread->engine, number),
                                 .mode = ENGINE_SET,
                                 .client_flags = number % 3,
                                 .given_cas = number % 7,
                                 .value_size = size};
    stamp_t stamp;

    (void)engine_store(thread, &write, value, &stamp);
}

static struct engine_thread *new_thread(struct engine *engine)
{
    struct engine_thread *thread = engine_thread_new(engine);

    INVARIANT(thread != NULL);
    engine_thread_set_now(thread, NOW_NS);
    return thread;
}

static void leave(void)
{
    struct engine *engine;
    struct engine_thread *thread;
    struct writer out;
    int error;

    left.file = memfd_create("items", MFD_CLOEXEC);
    INVARIANT(left.file >= 0);
    error = ftruncate(left.file, IMAGE_BYTES);
    INVARIANT(error == 0);
    left.mapped = mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                       left.file, 0);
    INVARIANT(left.mapped != MAP_FAILED);
    engine = new_engine();
    thread = new_thread(engine);
    for (unsigned i = 0; i < KEYS; i++)
        store(thread, i, i % 40 == 0 ? 90000 : i * 11);
    for (unsigned i = 0; i < KEYS; i += 9) {
        struct engine_key key = key_number(engine, i);

        (void)engine_remove(thread, &key);
    }
    (void)engine_upkeep(thread);
    engine_thread_free(&thread);
    writer_init(&out, left.saved, sizeof(left.saved));
    engine_save(engine, &out);
    INVARIANT(!out.failed);
    left.saved_size = writer_used(&out);
    memcpy(left.image, left.mapped, IMAGE_BYTES);
    engine_free(&engine);
    left.there = true;
}

/* ---- one input ---- */

static void edit(unsigned char *saved, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 4 <= size && i < 4 * EDITS_MAX; i += 4) {
        size_t place = (size_t)(data[i] & 0x7f) << 16 |
                       (size_t)data[i + 1] << 8 | data[i + 2];

        if (data[i] & 0x80)
            saved[place % left.saved_size] ^= data[i + 3];
        else
            left.mapped[place % IMAGE_BYTES] ^= data[i + 3];
    }
}

static void mend_checksums(const struct engine *engine, unsigned char *saved)
{
    unsigned char *at =
        saved + left.saved_size - (size_t)PAGES * PAGE_ENTRY_BYTES;

    for (uint32_t page = 1; page <= PAGES; page++, at += PAGE_ENTRY_BYTES) {
        struct reader in;
        struct writer out;
        unsigned index;
        uint32_t carved;

        reader_init(&in, at, PAGE_ENTRY_BYTES);
        index = reader_u8(&in);
        carved = reader_u32(&in);
        if (index == 0 || index > engine->slabs.count ||
            carved > slab_class_at(&engine->slabs, index)->per_page)
            continue;
        writer_init(&out, at + 5, 8);
        writer_u64(
            &out,
            hash_bytes(left.mapped + (page - 1) * PAGE_BYTES,
                       (size_t)carved *
                           slab_class_at(&engine->slabs, index)->chunk_bytes));
    }
}

static void use(struct engine *engine)
{
    struct engine_thread *thread = new_thread(engine);

    for (unsigned i = 0; i < KEYS; i++) {
        struct engine_key key = key_number(engine, i);
        struct engine_view view;
        size_t done = 0;

        if (engine_get(thread, &key, &view)) {
            while (done < view.value_size)
                done += engine_item_bytes(thread, view.item, done).size;
            engine_view_end(thread, &view);
        }
        if (i % 3 == 0)
            (void)engine_remove(thread, &key);
    }
    for (unsigned i = 0; i < 2 * KEYS; i++)
        store(thread, i, i % 50 == 0 ? 100000 : i * 31);
    for (unsigned i = 0; i < 20; i++)
        (void)engine_upkeep(thread);
    engine_thread_free(&thread);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char saved[SAVED_MAX];
    char words[ENGINE_WORDS_MAX] = "";
    struct engine *engine;

    if (!left.there)
        leave();
    memcpy(left.mapped, left.image, IMAGE_BYTES);
    memcpy(saved, left.saved, left.saved_size);
    engine = new_engine();
    edit(saved, data, size);
    mend_checksums(engine, saved);
    if (engine_restore(engine, slice_make((char *)saved, left.saved_size),
                       words) == 0)
        use(engine);
    else
        INVARIANT(words[0] != '\0');
    engine_free(&engine);
    return 0;
}
