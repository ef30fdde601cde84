// A C view of libsentencepiece. No C++ exception or status crosses this border: a function that
// can fail returns NULL when it worked, else a message to free with csp_free.
#ifndef CSENTENCEPIECE_H
#define CSENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct csp_processor csp_processor;

// Loads a serialized model. The processor is read-only afterwards: any thread may encode or decode.
char *csp_load(csp_processor **processor, const void *model, size_t model_bytes);
void csp_close(csp_processor *processor);

// UTF-8 text [text_bytes] -> ids [id_count], to free with csp_free.
char *csp_encode(const csp_processor *processor, int32_t **ids, size_t *id_count, const char *text,
                 size_t text_bytes);
// ids [id_count] -> UTF-8 text [text_bytes], to free with csp_free.
char *csp_decode(const csp_processor *processor, char **text, size_t *text_bytes, const int32_t *ids,
                 size_t id_count);

// An encoder for one thread that remembers the ids of words it has met. A word ends where two characters
// meet that stand side by side in no piece: no merge crosses that border, so the ids of a text are those of
// its words, one after the other. Only for byte-pair models with bytes for unknown characters and without a
// character map, whose pieces hold a space nowhere but at their start (the caller checks).
//
// The memory it takes does not grow with the words of a text. longest_piece: bytes of the longest piece
// of the model. The ids that csp_word_encode gives are the encoder's own, until it is called again.
typedef struct csp_word_encoder csp_word_encoder;

csp_word_encoder *csp_word_encoder_open(const csp_processor *processor, size_t longest_piece);
void csp_word_encoder_close(csp_word_encoder *encoder);
char *csp_word_encode(csp_word_encoder *encoder, const int32_t **ids, size_t *id_count, const char *text,
                      size_t text_bytes);

// Gives the next training sentence: returns 1 and sets bytes and count, which stay valid until the
// next call; 0 at the end; -1 to stop the training with an error.
typedef int (*csp_next_sentence)(void *context, const char **bytes, size_t *count);

// Trains a model with the trainer's options, one "name=value" a line. At most cpu_count processors
// are used, however many threads the options ask for; the caller's own affinity is restored.
//
// With word_bytes > 0 the trainer gets words with their counts, which take about so many bytes; for a
// byte-pair model that gives the same model as the sentences would, but for the name of the format in it, as
// long as no words were forgotten for want of room.
//
// Threads of the library that find no memory, or cannot be had, would abort the program; during the call
// that ends it with exit status failure_status and a message on standard error instead.
char *csp_train(uint8_t **model, size_t *model_bytes, const char *options, csp_next_sentence next,
                void *context, int32_t cpu_count, int32_t failure_status, size_t word_bytes,
                size_t *forgotten);

void csp_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif
