/* ernn_scores.h: what the numbers of an output are, by the layers that make them. */
#ifndef ERNN_SCORES_H
#define ERNN_SCORES_H

#include "ernn.h"

/* Whether output `index` lies in 0 to 1 whatever the input is: a softmax, sigmoid or hard sigmoid, moved
 * or averaged perhaps.  Other numbers are logits, also where they happen to lie there. */
int ernn_are_shares(const ernn_model *model, uint32_t index);

#endif
