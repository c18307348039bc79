package httpapi

import (
	"net/http"
	"slices"
)

// model is OpenAI's model object.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func modelOf(name string) model {
	return model{ID: name, Object: "model", OwnedBy: "aguante"}
}

// models serves GET /v1/models.
func (a *api) models(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	data := []model{}
	for _, name := range a.Models() {
		data = append(data, modelOf(name))
	}
	writeJSON(w, http.StatusOK, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", data})
	return nil
}

// model serves GET /v1/models/{model}, whose name may hold slashes.
func (a *api) model(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	name := r.PathValue("model")
	if !slices.Contains(a.Models(), name) {
		return errNoModel
	}
	writeJSON(w, http.StatusOK, modelOf(name))
	return nil
}
